// SPDX-License-Identifier: Apache-2.0
// Whoever is signed in changes his own password.

import { announce } from '../shell/announce';
import { Dialog } from '../parts/dialog';
import { Form } from '../parts/form';
import { call, part } from '../wire/call';
import { useSession } from './session';

export function ChangePassword({ onClose }: { onClose: () => void }) {
  const { token, signOut } = useSession();
  return (
    <Dialog title="Change the password" onClose={onClose}>
      <p>You are signed out everywhere, and sign in again with the new one.</p>
      <Form
        start={{ now: '', next: '', again: '' }} verb="Change it" onCancel={onClose}
        onDone={() => {
          announce('The password is changed.');
          void signOut();
        }}
        questions={[
          { name: 'now', label: 'Password until now', kind: 'password', required: true },
          { name: 'next', label: 'New password', kind: 'password', required: true },
          { name: 'again', label: 'New password once more', kind: 'password', required: true, wrong: ({ next, again }) => (next === again ? undefined : 'It is not the same as above.') },
        ]}
        send={({ now, next }) => call('identity', `/users/${part(token.user.id)}/password`, { method: 'POST', json: { user: { original_password: now, password: next } } })}
        said={() => ({ commands: [['openstack', 'user', 'password', 'set']] })}
      />
    </Dialog>
  );
}
