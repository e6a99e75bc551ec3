// SPDX-License-Identifier: Apache-2.0
// The part of noVNC that is used here.

declare module '@novnc/novnc' {
  export default class Vnc extends EventTarget {
    constructor(place: HTMLElement, line: string | WebSocket, options: Record<string, unknown>);
    scaleViewport: boolean;
    focus(): void;
    disconnect(): void;
    addEventListener(name: 'connect', told: () => void): void;
    addEventListener(name: 'disconnect', told: (event: CustomEvent<{ clean: boolean }>) => void): void;
  }
}
