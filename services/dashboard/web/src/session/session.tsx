// SPDX-License-Identifier: Apache-2.0
// Who is here, for which project, and until when. The token itself is in a cookie that no script can read.

import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react';

import { beginAnew, forgetAll } from '../wire/cache';
import { askFor, call, door, whenGone } from '../wire/call';
import { listen } from '../wire/live';
import { asRefusal, type Refusal } from '../wire/refusal';
import { type CatalogEntry, learnCatalog } from '../wire/roots';

export interface Named { id: string; name: string }

export interface Token {
  user: Named & { domain: Named };
  project?: Named & { domain: Named };
  domain?: Named;
  system?: { all: boolean };
  /** Tokens for nothing have neither roles nor a catalog. */
  roles?: Named[];
  catalog?: CatalogEntry[];
  expires_at: string;
}

export interface Session {
  token: Token;
  live: boolean;
  has: (role: string) => boolean;
  scopeTo: (project: string) => Promise<void>;
  signOut: () => Promise<void>;
}

export type Standing =
  | { is: 'unknown' }
  | { is: 'out'; why?: string }
  | { is: 'lost'; refusal: Refusal }
  | { is: 'in'; session: Session };

interface Gate {
  standing: Standing;
  signIn: (auth: unknown) => Promise<void>;
  look: () => Promise<void>;
}

const Here = createContext<Gate | undefined>(undefined);

/** The door may wrap the token's body as identity does. */
function bare(body: Token | { token: Token }): Token {
  return 'token' in body ? body.token : body;
}

/** In which project this browser worked the last time. */
const LAST = 'ferrostack-project';

function scoped(project: string): Promise<Token | { token: Token }> {
  return door<Token>('/session/scope', { method: 'POST', json: { project_id: project } });
}

/** Whoever has no default project goes to where he was, or to the first that lets him in. */
async function placed(token: Token): Promise<Token> {
  if (token.project || token.domain || token.system) return token;
  learnCatalog([]);
  askFor(undefined);
  const { projects } = await call<{ projects: Named[] }>('identity', '/auth/projects');
  const project = projects.find((one) => one.id === localStorage.getItem(LAST)) ?? projects[0];
  return project ? bare(await scoped(project.id)) : token;
}

export function SessionGate({ children }: { children: ReactNode }) {
  const [token, setToken] = useState<Token>();
  const [standing, setStanding] = useState<'unknown' | 'out' | 'in' | Refusal>('unknown');
  const [why, setWhy] = useState<string>();
  const [live, setLive] = useState(false);

  const enter = useCallback(async (body: Token | { token: Token }) => {
    const one = await placed(bare(body));
    learnCatalog(one.catalog ?? []);
    askFor(one.project?.id ?? one.domain?.id ?? (one.system ? 'system' : undefined));
    beginAnew();
    setToken(one);
    setStanding('in');
    setWhy(undefined);
  }, []);

  const leave = useCallback((reason?: string) => {
    forgetAll();
    setToken(undefined);
    setStanding('out');
    setWhy(reason);
  }, []);

  const look = useCallback(async (reason?: string) => {
    try {
      await enter(await door<Token>('/session'));
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.status === 401) leave(reason);
      else setStanding(refusal);
    }
  }, [enter, leave]);

  useEffect(() => {
    // The door clears the cookie when it is asked for a session that is over, and says for what the session is now.
    whenGone(() => void look('The session has ended. Sign in to go on where you were.'));
    void look();
  }, [look, leave]);

  useEffect(() => {
    if (!token) return undefined;
    const left = new Date(token.expires_at).getTime() - Date.now();
    // Beyond this a clock of the browser overflows, and rings at once.
    const timer = left < 2 ** 31 ? setTimeout(() => leave('The session has ended, as its time is over.'), Math.max(0, left)) : undefined;
    const hush = listen(setLive, () => void look('The session has ended. Sign in to go on where you were.'));
    return () => {
      clearTimeout(timer);
      hush();
    };
  }, [token, leave, look]);

  const gate = useMemo<Gate>(() => {
    const signIn = async (auth: unknown) => await enter(await door<Token>('/session', { method: 'POST', json: { auth } }));
    if (standing === 'in' && token) {
      const session: Session = {
        token,
        live,
        has: (role) => (token.roles ?? []).some((one) => one.name === role),
        scopeTo: async (project) => {
          await enter(await scoped(project));
          localStorage.setItem(LAST, project);
        },
        signOut: async () => {
          await door('/session', { method: 'DELETE' }).catch(() => undefined);
          leave();
        },
      };
      return { standing: { is: 'in', session }, signIn, look };
    }
    if (standing === 'unknown') return { standing: { is: 'unknown' }, signIn, look };
    if (typeof standing === 'object') return { standing: { is: 'lost', refusal: standing }, signIn, look };
    return { standing: { is: 'out', why }, signIn, look };
  }, [standing, token, live, why, enter, leave, look]);

  return <Here.Provider value={gate}>{children}</Here.Provider>;
}

export function useGate(): Gate {
  const gate = useContext(Here);
  if (!gate) throw new Error('There is no session gate around this.');
  return gate;
}

export function useSession(): Session {
  const { standing } = useGate();
  if (standing.is !== 'in') throw new Error('Nobody is signed in.');
  return standing.session;
}

/** The project that is worked in; tokens of a domain have none. */
export function useProject(): string {
  return useSession().token.project?.id ?? '';
}
