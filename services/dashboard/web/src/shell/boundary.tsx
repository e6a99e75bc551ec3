// SPDX-License-Identifier: Apache-2.0
// A page that fails takes nothing else down with it, and says so.

import { Component, type ReactNode } from 'react';

export class Boundary extends Component<{ children: ReactNode }, { failed?: string }> {
  override state: { failed?: string } = {};

  static getDerivedStateFromError(error: unknown) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.failed === undefined) return this.props.children;
    return (
      <div className="refused" role="alert">
        <p className="refused-cause"><strong>This page failed.</strong> {this.state.failed}</p>
        <p>Nothing in the cloud was changed by it. Load the page again; if the cloud was brought up to date meanwhile, that is all it needs.</p>
        <button type="button" className="button plain" onClick={() => location.reload()}>Load again</button>
      </div>
    );
  }
}
