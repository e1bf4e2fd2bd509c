// for await (const some of arrayOfPromises(source, f)): f of each, up to 32 at a time, in order, as arrays.
export async function* arrayOfPromises(source, f, atOnce = 32) {
  let some = [];
  for await (const item of source) {
    some.push(f(item));
    if (some.length < atOnce) continue;
    yield await Promise.all(some);
    some = [];
  }
  if (some.length) yield await Promise.all(some);
}
