// SPDX-License-Identifier: Apache-2.0
// How far something is, and how much of something is used.

export function Progress({ label, share }: { label: string; share: number }) {
  const percent = Math.round(share * 100);
  return (
    <div className="progress">
      <progress aria-label={label} max={100} value={percent} />
      <span>{percent} %</span>
    </div>
  );
}

export function Use({ label, used, limit, say }: { label: string; used: number; limit: number; say?: (amount: number) => string }) {
  const words = say ?? String;
  const open = limit < 0;
  const full = !open && limit > 0 && used / limit >= 0.9;
  return (
    <div className="use">
      <span className="use-name">{label}</span>
      <span className="use-count">{words(used)}{open ? '' : ` of ${words(limit)}`}</span>
      <meter aria-label={label} min={0} max={open ? Math.max(1, used * 2) : Math.max(1, limit)} value={used} className={full ? 'full' : undefined}>
        {words(used)}
      </meter>
    </div>
  );
}
