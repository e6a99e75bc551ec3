// SPDX-License-Identifier: Apache-2.0
export { VolumePage } from './detail';
export { Snapshots, Volumes } from './list';
export { NewVolume } from './new';
