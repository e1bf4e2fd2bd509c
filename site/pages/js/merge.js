// Several searches as one list, newest first, page by page. Each study appears once.

function newer(a, b) {
  if (a.date !== b.date) return a.date > b.date;
  return a.time > b.time;
}

class Source {
  constructor(fetchPage, keys) {
    Object.assign(this, { fetchPage, keys, waiting: [], offset: 0, left: Infinity });
  }

  async fill(limit, signal) {
    if (this.waiting.length || this.left === 0) return;
    const { rows, remaining } = await this.fetchPage(this.keys, limit, this.offset, signal);
    this.offset += rows.length;
    this.left = remaining;
    this.waiting = rows;
  }

  get remaining() {
    return this.waiting.length + (Number.isFinite(this.left) ? this.left : 0);
  }
}

// fetchPage(keys, limit, offset, signal) -> {rows: [{uid, date, time, …}], remaining}
export class Merge {
  constructor(searches, fetchPage) {
    this.sources = searches.map((keys) => new Source(fetchPage, keys));
    this.seen = new Set();
  }

  async next(count, signal) {
    const page = [];
    while (page.length < count) {
      await Promise.all(this.sources.map((s) => s.fill(count, signal)));
      const best = this.sources.filter((s) => s.waiting.length)
        .reduce((a, b) => (!a || newer(b.waiting[0], a.waiting[0]) ? b : a), null);
      if (!best) break;
      const row = best.waiting.shift();
      if (this.seen.has(row.uid)) continue;
      this.seen.add(row.uid);
      page.push(row);
    }
    return page;
  }

  get more() {
    return this.sources.some((s) => s.remaining > 0 &&
      (s.left > 0 || s.waiting.some((row) => !this.seen.has(row.uid))));
  }

  // How many there are altogether: exact as long as one search alone can still bring any.
  get total() {
    const open = this.sources.filter((s) => s.left > 0 || s.waiting.length);
    const rest = open.map((s) => s.left + s.waiting.filter((row) => !this.seen.has(row.uid)).length);
    return { n: this.seen.size + Math.max(0, ...rest), exact: open.length <= 1 };
  }
}
