// SPDX-License-Identifier: Apache-2.0
// Where the application begins.

import './style/base.css';
import './style/parts.css';
import './style/shell.css';

import { lazy, StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';

import { Button } from './parts/button';
import { Refused } from './parts/refusal';
import { SessionGate, useGate } from './session/session';
import { SignIn } from './session/signin';
import { Boundary } from './shell/boundary';
import { here } from './shell/router';
import { Shell } from './shell/shell';
import { show } from './shell/theme';

const OfUrl = lazy(async () => ({ default: (await import('./servers/console')).ConsoleOfUrl }));

function Door() {
  const { standing, look } = useGate();
  switch (standing.is) {
    case 'unknown':
      return <p className="waiting" aria-busy="true">Loading…</p>;
    case 'out':
      // An address of a console carries its own proof: whoever has it needs no session.
      return here() === '/console' ? <Suspense><main className="alone"><OfUrl /></main></Suspense> : <SignIn why={standing.why} />;
    case 'lost':
      return (
        <main className="signin">
          <div className="signin-card">
            <h1>The cloud does not answer</h1>
            <Refused refusal={standing.refusal} />
            <Button look="main" onPress={() => void look()}>Try again</Button>
          </div>
        </main>
      );
    case 'in':
      return <Shell />;
  }
}

show();
createRoot(document.getElementById('root')!).render(<StrictMode><Boundary><SessionGate><Door /></SessionGate></Boundary></StrictMode>);
