// Elements without markup: whatever comes from the archive becomes text, never HTML.

const SVG = 'http://www.w3.org/2000/svg';

function put(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else if (name === 'class') element.setAttribute('class', value);
  else if (name === 'data') Object.assign(element.dataset, value);
  else if (name in element && !(element instanceof SVGElement) && typeof value !== 'string') element[name] = value;
  else element.setAttribute(name, value === true ? '' : value);
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

// h('p', {class: 'x', onclick: f}, 'text', element, …); the properties may be left out.
export function h(tag, ...rest) {
  const first = rest[0];
  const plain = first && typeof first === 'object' && !(first instanceof Node) && !Array.isArray(first);
  const element = document.createElement(tag);
  if (plain) for (const [name, value] of Object.entries(rest.shift())) put(element, name, value);
  return append(element, rest);
}

export function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) put(element, name, value);
  return append(element, children);
}

// Text that may be written in any direction, or play tricks with it: it cannot reorder what is around it.
export function bdi(text, properties = {}) {
  return h('bdi', properties, text);
}

const paths = {
  search: 'M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5 20 20',
  upload: 'M12 16V5M7 9.5 12 4.5l5 5M5 15v3.5a1 1 0 0 0 1 1h12a1 1 0 0 0 1-1V15',
  download: 'M12 4v11M7 10.5l5 5 5-5M5 19.5h14',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6z',
  link: 'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1-1',
  trash: 'M5 7h14M10 4h4M7 7l.8 12a1 1 0 0 0 1 1h6.4a1 1 0 0 0 1-1L17 7M10 11v5M14 11v5',
  chevron: 'M9 6l6 6-6 6',
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5 10 17.5 19 7',
  warn: 'M12 4 21 19.5H3zM12 10v4.5M12 17v.3',
  user: 'M12 4.5a3.7 3.7 0 1 1 0 7.4 3.7 3.7 0 0 1 0-7.4zM4.5 20c.6-3.8 3.7-5.6 7.5-5.6s6.9 1.8 7.5 5.6',
  list: 'M4 6.5h16M4 12h16M4 17.5h10',
  gauge: 'M4 17.5a8.5 8.5 0 1 1 16 0M12 14l4-5',
  folder: 'M3.5 18V6.5h6l2 2.5h9v9a1 1 0 0 1-1 1h-15a1 1 0 0 1-1-1z',
  file: 'M6 3.5h8l4 4.5v12.5H6zM13.5 3.5V8.5H18',
  copy: 'M9 9h10v10.5H9zM5 15V4.500h10',
};

export function icon(name) {
  return svg('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { d: paths[name] }));
}

// A button; what it shows may be an icon, so it always has a name in words.
export function button(label, onclick, { icon: shown, kind = '', hideLabel = false, ...more } = {}) {
  return h('button', { type: 'button', class: `button ${kind}`, onclick, title: hideLabel ? label : null, ...more },
    shown ? icon(shown) : null, h('span', { class: hideLabel ? 'hidden' : '' }, label));
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  return append(parent, children);
}

let fields = 0;

// A labelled input with room for a hint and for what is wrong with it.
export function field(label, properties, hint) {
  const id = `field${++fields}`;
  const input = h(properties.options ? 'select' : 'input', { id, ...properties, options: undefined },
    (properties.options || []).map(([value, text]) => h('option', { value }, text)));
  const note = hint ? h('span', { class: 'hint', id: `${id}hint` }, hint) : null;
  if (note) input.setAttribute('aria-describedby', note.id);
  return { input, element: h('div', { class: 'field' }, h('label', { for: id }, label), input, note) };
}
