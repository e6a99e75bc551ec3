// SPDX-License-Identifier: Apache-2.0
// What pages use of the wire.

export { touch, touchAll, useRead, type Read } from './cache';
export { address, ask, call, door, headersFor, part } from './call';
export { downloadOf } from './download';
export { listOf, useList, useOne } from './lists';
export { asRefusal, Refusal } from './refusal';
export { offers, rootOf, type Service } from './roots';
export { send } from './send';
