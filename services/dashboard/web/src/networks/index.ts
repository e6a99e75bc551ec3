// SPDX-License-Identifier: Apache-2.0
export { NetworkPage } from './detail';
export { FloatingAddresses, NewFloatingAddress } from './floating/pages';
export { NewSecurityGroup, SecurityGroupPage, SecurityGroups } from './groups/pages';
export { Networks } from './list';
export { NewNetwork } from './new';
export { PortPage } from './port';
export { NewPort, Ports } from './ports';
export { NewRouter, RouterPage, Routers } from './routers';
export { Topology } from './topology';
