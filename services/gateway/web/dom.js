// Elements are made here and nowhere else. There is no innerHTML in the app: what a user
// wrote goes in as a text node, and the Trusted Types policy in the CSP holds us to it.

const SVG = 'http://www.w3.org/2000/svg';
// Set as properties because the attribute of the same name is only their first value.
const PROPERTIES = new Set(['value', 'checked', 'indeterminate']);

/**
 * h('button', { class: 'primary', onclick: save }, 'Save')
 * A property that is null, undefined or false is left out; true gives an empty attribute.
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG elements. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...present(children));
  return element;
}

/** Replace what is inside, but leave the nodes alone when they are the same ones. */
export function put(parent, ...children) {
  const nodes = present(children);
  const same = nodes.length === parent.childNodes.length && nodes.every((node, i) => node === parent.childNodes[i]);
  if (!same) parent.replaceChildren(...nodes);
  return parent;
}

let lastId = 0;

/** An id for tying a label, a hint or an error to its field. */
export function uniqueId(prefix) {
  lastId += 1;
  return `${prefix}-${lastId}`;
}

const ICONS = {
  home: 'M4 11.5 12 5l8 6.5M6 10v9h12v-9',
  write: 'M4 20h16M5.5 15.5 15.8 5.2a1.7 1.7 0 0 1 2.4 0l.6.6a1.7 1.7 0 0 1 0 2.4L8.5 18.5l-4 1z',
  accept: 'M12 4v11m-4.5-4.5L12 15l4.5-4.5M4 20h16',
  history: 'M12 7.5V12l3 2M4.5 12A7.5 7.5 0 1 0 7 6.4M4.5 4.5v4h4',
  account: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7 8.5c.8-3.6 3.6-5.5 7-5.5s6.2 1.9 7 5.5',
  plus: 'M12 5v14M5 12h14',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12Zm9.5 2.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6Z',
  copy: 'M9 9h10v11H9zM5 15V4h10',
  share: 'M12 15V4m-4 3.5L12 4l4 3.5M5 12v8h14v-8',
  print: 'M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z',
  renew: 'M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 4v4h-4',
  cross: 'M6 6l12 12M18 6 6 18',
  tick: 'M5 12.5 10 17.5 19.5 7',
  clock: 'M12 7.5V12l3 2M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16Z',
  alert: 'M12 8.5v4.5m0 3v.200M12 4 2.8 20h18.4z',
  frost: 'M12 3v18M4.2 7.5l15.6 9M19.8 7.5l-15.6 9M9.5 4.5 12 6.5l2.5-2M9.5 19.5l2.5-2 2.5 2',
  chart: 'M4 19.5h16M5 15l4.5-5 3.5 3L19 6',
  chevron: 'm9 6 6 6-6 6',
  back: 'm15 6-6 6 6 6',
};

/** A line drawing of 24 by 24; it says nothing to a screen reader, the label beside it does. */
export function icon(name) {
  return svg('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' }, svg('path', { d: ICONS[name] }));
}
