// SPDX-License-Identifier: Apache-2.0
export { ContainerPage } from './container';
export { Containers, NewContainer } from './list';
