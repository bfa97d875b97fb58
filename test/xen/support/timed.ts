/** Says how long something took: whoever waits for an emulated machine wants to know for what. */
export async function timed<T>(what: string, make: () => Promise<T>): Promise<T> {
  const began = Date.now();
  try {
    return await make();
  } finally {
    process.stdout.write(`${what}: ${((Date.now() - began) / 1000).toFixed(1)} s\n`);
  }
}
