// SPDX-License-Identifier: Apache-2.0
// A button that cannot be pressed stays in reach, and says why.

import { type ReactNode, useId } from 'react';

import { Link } from '../shell/router';

interface ButtonProps {
  children: ReactNode;
  onPress?: () => void;
  look?: 'main' | 'plain' | 'danger' | 'quiet';
  /** Why it cannot be pressed now. */
  why?: string;
  submit?: boolean;
  label?: string;
}

export function Button({ children, onPress, look = 'plain', why, submit, label }: ButtonProps) {
  const reason = useId();
  return (
    <span className="button-place">
      <button
        type={submit ? 'submit' : 'button'}
        className={`button ${look}`}
        aria-label={label}
        aria-disabled={why ? true : undefined}
        aria-describedby={why ? reason : undefined}
        onClick={(event) => {
          if (why) event.preventDefault();
          else onPress?.();
        }}
      >
        {children}
      </button>
      {why && <span className="why" role="note" id={reason}>{why}</span>}
    </span>
  );
}

export function ButtonLink({ to, children, look = 'main' }: { to: string; children: ReactNode; look?: 'main' | 'plain' }) {
  return <Link to={to} className={`button ${look}`}>{children}</Link>;
}
