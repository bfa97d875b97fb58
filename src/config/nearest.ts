/** The known word that `word` was most likely meant to be; null where none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  const lower = word.toLowerCase();
  const near = known
    .map((candidate) => ({ candidate, distance: distanceFor(lower, candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.candidate ?? null;
}

function distanceFor(word: string, known: string): number {
  const beginning = word.length >= 3 && (known.startsWith(word) || word.startsWith(known));
  return beginning ? 1 : editDistance(word, known);
}

/** Insertions, deletions, replacements and exchanges of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let [before, row] = [new Array<number>(), Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const exchanged = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Infinity;
      next.push(Math.min(replaced, exchanged, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row[b.length] ?? 0;
}

/** What to say of a key that is not known where it stands. */
export function unknownKey(key: string, known: readonly string[]): string {
  const guess = nearest(key, known);
  const advice = guess === null ? `known here are ${known.join(', ')}` : `did you mean "${guess}"?`;
  return `${JSON.stringify(key)} is not known here; ${advice}`;
}
