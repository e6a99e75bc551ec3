// SPDX-License-Identifier: Apache-2.0
// A form shows itself: what it will do, as commands and as Terraform, while it is filled in.

import { useId, useState } from 'react';

import { announce } from '../shell/announce';
import { type Block, hcl } from './hcl';
import { commandLine } from './shell';

export interface Said {
  commands: readonly (readonly string[])[];
  terraform?: readonly Block[];
}

export function AsText({ said }: { said: Said }) {
  const [kind, setKind] = useState<'commands' | 'terraform'>('commands');
  const title = useId();
  const commands = said.commands.map(commandLine).join('\n');
  const terraform = hcl(said.terraform ?? []) || '# Terraform has no resource for this.';
  const text = kind === 'commands' ? commands : terraform;
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    announce('Copied.');
  };
  return (
    <div className="said" role="group" aria-labelledby={title}>
      <h2 id={title}>The same in writing</h2>
      <div className="said-kinds" role="group" aria-label="Language">
        <button type="button" aria-pressed={kind === 'commands'} onClick={() => setKind('commands')}>Command line</button>
        <button type="button" aria-pressed={kind === 'terraform'} onClick={() => setKind('terraform')}>Terraform</button>
        <button type="button" className="said-copy" onClick={() => void copy()}>Copy</button>
      </div>
      <pre tabIndex={0} role="group" aria-label={kind === 'commands' ? 'As a command line' : 'As Terraform'}>{text}</pre>
    </div>
  );
}
