/** Runs until the work ends by itself, or SIGINT, SIGTERM or the signal given ask for it: that is a good end too. */
export async function untilInterrupted(
  outer: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  outer?.addEventListener('abort', stop);
  if (outer?.aborted === true) stop();
  try {
    await work(abort.signal);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    outer?.removeEventListener('abort', stop);
    stop();
  }
}
