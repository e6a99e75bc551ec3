// SPDX-License-Identifier: Apache-2.0
// Key pairs: with the private half one logs in to servers that were launched with the public one.

import { useState } from 'react';

import { ButtonLink, Confirm, type Destroying, Form, go, Page, Raw, resource, Shown, Table, Dialog, Button } from '../parts';
import { call, part, type Read, touch, useList } from '../wire';

export interface KeyPair { name: string; fingerprint: string; public_key: string; type: string }

export function useKeyPairs(): Read<KeyPair[]> {
  const read = useList<{ keypair: KeyPair }>('compute', '/os-keypairs?limit=1000', 'keypairs', ['keypair']);
  return { ...read, value: read.value?.map((one) => one.keypair) };
}

export function KeyPairs() {
  const keys = useKeyPairs();
  const [question, setQuestion] = useState<Destroying>();
  const destroy = (rows: KeyPair[]) => setQuestion({
    verb: 'Delete', noun: 'key pairs', names: rows.map((row) => row.name), means: 'Servers that have it keep it. New ones cannot be launched with it.',
    run: async (at) => {
      await call('compute', `/os-keypairs/${part(rows[at]!.name)}`, { method: 'DELETE' });
      touch('keypair');
    },
  });
  return (
    <Page title="Key pairs" lead="With a key you log in to a server without a password. They are your own, in whatever project you work." actions={<ButtonLink to="/keypairs/new">Add a key pair</ButtonLink>}>
      <Shown of={keys}>
        {(rows) => (
          <Table
            label="Key pairs" rows={rows} id={(row) => row.name} name={(row) => row.name}
            columns={[
              { name: 'Name', text: (row) => row.name },
              { name: 'Fingerprint', text: (row) => row.fingerprint, show: (row) => <code>{row.fingerprint}</code> },
            ]}
            actions={(row) => [{ label: 'Delete', danger: true, run: () => destroy([row]) }]}
            many={[{ label: 'Delete', danger: true, run: destroy }]}
            empty={<><h2>No key pair yet</h2><p>Cloud images have no password: without a key nobody can log in to a server made of them.</p><ButtonLink to="/keypairs/new">Add your first key pair</ButtonLink></>}
          />
        )}
      </Shown>
      {question && <Confirm question={question} onClose={() => setQuestion(undefined)} />}
    </Page>
  );
}

export function NewKeyPair() {
  const [made, setMade] = useState<{ name: string; key: string }>();
  const leave = () => go('/keypairs');
  const save = () => {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([made!.key], { type: 'application/x-pem-file' }));
    link.download = `${made!.name}.pem`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <Page title="Add a key pair" under={['Key pairs', '/keypairs']}>
      <Form
        start={{ name: '', key: '' }} verb="Add the key pair" onDone={() => undefined} onCancel={leave}
        questions={[
          { name: 'name', label: 'Name', required: true },
          { name: 'key', label: 'Public key', kind: 'area', placeholder: 'ssh-ed25519 AAAA…', help: 'Of a key that you have, as in ~/.ssh/id_ed25519.pub. Left empty, a new pair is made, and you get its private key once.' },
        ]}
        send={async ({ name, key }) => {
          // The cloud makes the pair where no public key is given.
          const keypair = { name, type: 'ssh', ...(key.trim() && { public_key: key.trim() }) };
          const answer = await call<{ keypair: { private_key?: string } }>('compute', '/os-keypairs', { method: 'POST', json: { keypair } });
          touch('keypair');
          if (answer.keypair.private_key) setMade({ name, key: answer.keypair.private_key });
          else leave();
        }}
        said={({ name, key }) => ({
          commands: [['openstack', 'keypair', 'create', ...(key ? ['--public-key', 'id.pub'] : ['--private-key', `${name || 'NAME'}.pem`]), name || 'NAME']],
          terraform: [resource('compute_keypair_v2', name || 'name', { name, public_key: key.trim() || new Raw('file("id.pub")') })],
        })}
      />
      {made && (
        <Dialog title={`The private key of ${made.name}`} onClose={leave} wide>
          <p>Keep it now: it is shown this once, and nobody has a copy.</p>
          <pre className="secret-once" tabIndex={0} role="group" aria-label="Private key">{made.key}</pre>
          <div className="buttons"><Button look="main" onPress={save}>Save as a file</Button><Button onPress={leave}>I have kept it</Button></div>
        </Dialog>
      )}
    </Page>
  );
}
