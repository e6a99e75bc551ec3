// SPDX-License-Identifier: Apache-2.0
export { ConsoleOfUrl, ConsolePage } from './console';
export { Server } from './detail';
export { Launch } from './launch';
export { Servers } from './list';
