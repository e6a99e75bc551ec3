// SPDX-License-Identifier: Apache-2.0
export { ImagePage } from './detail';
export { Images } from './list';
export { NewImage } from './new';
