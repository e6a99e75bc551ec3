// SPDX-License-Identifier: Apache-2.0
export { Events } from './events';
export { Hosts } from './hosts';
export { NewProject, ProjectQuotas, Projects } from './projects';
