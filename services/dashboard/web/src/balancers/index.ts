// SPDX-License-Identifier: Apache-2.0
export { BalancerPage } from './detail';
export { Balancers } from './list';
export { NewBalancer } from './new';
