// SPDX-License-Identifier: Apache-2.0
// Downloads are plain links, so that the browser keeps what comes without holding it in the page.

import { rootOf, type Service } from './roots';

export function downloadOf(service: Service, path: string, name: string): string {
  return `/dashboard/download${rootOf(service)}${path}?name=${encodeURIComponent(name)}`;
}
