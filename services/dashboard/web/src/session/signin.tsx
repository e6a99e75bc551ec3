// SPDX-License-Identifier: Apache-2.0
// The first page: who are you?

import { type FormEvent, useEffect, useState } from 'react';

import { Button } from '../parts/button';
import { Text } from '../parts/field';
import { Refused } from '../parts/refusal';
import { asRefusal, type Refusal } from '../wire/refusal';
import { useGate } from './session';

const DOMAIN = 'ferrostack-domain';

export function SignIn({ why }: { why?: string }) {
  const { signIn } = useGate();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [passcode, setPasscode] = useState('');
  const [domain, setDomain] = useState(localStorage.getItem(DOMAIN) ?? 'Default');
  const [project, setProject] = useState('');
  const [provider, setProvider] = useState('');
  const [refusal, setRefusal] = useState<Refusal>();
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    document.title = 'Sign in – Ferrostack';
  }, []);

  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setRefusal(undefined);
    const user = { name, domain: { name: domain || 'Default' } };
    const methods = passcode ? ['password', 'totp'] : ['password'];
    const identity = { methods, password: { user: { ...user, password } }, ...(passcode && { totp: { user: { ...user, passcode } } }) };
    const scope = project ? { project: { name: project, domain: user.domain } } : undefined;
    try {
      await signIn(scope ? { identity, scope } : { identity });
      localStorage.setItem(DOMAIN, domain);
    } catch (error) {
      setRefusal(asRefusal(error));
      setBusy(false);
    }
  };

  return (
    <main className="signin">
      <div className="signin-card">
        <img src="/dashboard/mark.svg" alt="" width="44" height="44" />
        <h1>Sign in</h1>
        {why && <p className="lead" role="status">{why}</p>}
        <form className="form" onSubmit={(event) => void send(event)}>
          <Text name="username" label="User name" value={name} onChange={setName} required complete="username" first />
          <Text name="password" label="Password" type="password" value={password} onChange={setPassword} required complete="current-password" />
          <details className="more">
            <summary>More ways to sign in</summary>
            <Text name="domain" label="Domain" value={domain} onChange={setDomain} help="Of the organisation that the user belongs to." />
            <Text name="project" label="Project" value={project} onChange={setProject} help="Left empty: your own default project, or the first one." />
            <Text name="passcode" label="One-time passcode" value={passcode} onChange={setPasscode} complete="one-time-code" help="If your user has a second factor." />
            <Text name="provider" label="Identity provider" value={provider} onChange={setProvider} help="To sign in with OpenID Connect: the provider's name in this cloud." />
            <Button
              why={provider ? undefined : 'Name the identity provider first.'}
              onPress={() => location.assign(`/dashboard/session/oidc?idp=${encodeURIComponent(provider)}&protocol=openid`)}
            >
              Sign in with OpenID Connect
            </Button>
          </details>
          {refusal && (
            refusal.status === 401
              ? <div className="refused" role="alert"><p className="refused-cause"><strong>User name and password do not fit together.</strong></p><p>Check both, and the domain under “More ways to sign in”.</p></div>
              : <Refused refusal={refusal} grab />
          )}
          <Button look="main" submit why={busy ? 'It is under way.' : undefined}>Sign in</Button>
        </form>
      </div>
    </main>
  );
}
