// The balance over time: a stepped line in SVG, coloured by the style sheet, so that it prints and changes
// with the theme. What it shows to the eye, the statement beneath it says in words.

import { h, put, svg } from '../dom.js';
import { locale, t } from '../i18n.js';
import { formatMoney } from '../money.js';
import { formatDateTime, now } from '../time.js';

const HEIGHT = 200;
const PAD = { top: 12, right: 72, bottom: 26, left: 2 };

/** `entries` of the statement, newest first, at least one; `width` in pixels. */
export function balanceChart(entries, currency, width) {
  const points = pointsOf(entries);
  const scale = scaleFor(points, width);
  const line = stepPath(points, scale);
  const marker = svg('circle', { class: 'chart-marker', r: 4.5, visibility: 'hidden' });
  const chart = svg('svg', { class: 'chart-plot', viewBox: `0 0 ${width} ${HEIGHT}`, role: 'img', 'aria-label': summary(points, currency) },
    gridlines(scale, currency),
    svg('path', { class: 'chart-area', d: `${line}V${scale.y(0)}H${scale.x(points[0].at)}Z` }),
    svg('path', { class: 'chart-line', d: line }),
    marker,
    dates(points, scale));
  const reading = h('p', { class: 'chart-reading', 'aria-hidden': 'true' });
  const last = points.at(-1);

  function read(point, visible) {
    put(reading, h('strong', {}, formatMoney(point.minor, currency)), ' · ', visible ? formatDateTime(point.at) : t('chart.now'));
    marker.setAttribute('visibility', visible ? 'visible' : 'hidden');
    marker.setAttribute('cx', scale.x(point.at));
    marker.setAttribute('cy', scale.y(point.minor));
  }

  chart.addEventListener('pointermove', (event) => {
    const box = chart.getBoundingClientRect();
    const at = scale.time(((event.clientX - box.left) / box.width) * width);
    read(points.findLast((point) => point.at <= at) ?? points[0], true);
  });
  chart.addEventListener('pointerleave', () => read(last, false));
  read(last, false);
  return h('figure', { class: 'chart' }, h('figcaption', {}, h('span', {}, t('chart.title')), reading), chart);
}

/** Oldest first, beginning with the balance before the oldest entry and ending now. */
function pointsOf(entries) {
  const rising = entries.map((entry) => ({ at: Date.parse(entry.createdAt), minor: entry.balanceAfter })).reverse();
  const oldest = entries.at(-1);
  const before = { at: rising[0].at, minor: oldest.balanceAfter - oldest.amount };
  return [before, ...rising, { at: Math.max(now(), rising.at(-1).at + 1000), minor: rising.at(-1).minor }];
}

function scaleFor(points, width) {
  const [from, to] = [points[0].at, points.at(-1).at];
  const top = niceTop(Math.max(...points.map((point) => point.minor), 100));
  const across = width - PAD.left - PAD.right;
  const height = HEIGHT - PAD.top - PAD.bottom;
  return {
    top,
    end: PAD.left + across,
    x: (at) => round(PAD.left + ((at - from) / (to - from)) * across),
    y: (minor) => round(PAD.top + (1 - minor / top) * height),
    time: (x) => from + ((x - PAD.left) / across) * (to - from),
  };
}

/** The next round sum above. */
function niceTop(value) {
  const step = 10 ** Math.floor(Math.log10(value));
  return step * [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * step >= value);
}

function stepPath(points, scale) {
  const [first, ...rest] = points;
  return rest.reduce((path, point) => `${path}H${scale.x(point.at)}V${scale.y(point.minor)}`,
    `M${scale.x(first.at)} ${scale.y(first.minor)}`);
}

function gridlines({ top, end, y }, currency) {
  return [0, top / 2, top].map((minor) => svg('g', { class: 'chart-grid' },
    svg('line', { x1: PAD.left, x2: end, y1: y(minor), y2: y(minor) }),
    svg('text', { x: end + 8, y: y(minor) + 4 }, formatMoney(minor, currency))));
}

function dates(points, scale) {
  const [from, to] = [points[0].at, points.at(-1).at];
  const shortly = to - from < 2 * 86_400_000;
  const format = new Intl.DateTimeFormat(locale(), shortly ? { hour: '2-digit', minute: '2-digit' } : { day: 'numeric', month: 'short' });
  return [[from, 'start'], [(from + to) / 2, 'middle'], [to, 'end']].map(([at, anchor]) =>
    svg('text', { x: scale.x(at), y: HEIGHT - 6, 'text-anchor': anchor }, format.format(at)));
}

function summary(points, currency) {
  const sums = points.map((point) => point.minor);
  const money = (minor) => formatMoney(minor, currency);
  return t('chart.summary', {
    from: formatDateTime(points[0].at), first: money(sums[0]), last: money(sums.at(-1)),
    lowest: money(Math.min(...sums)), highest: money(Math.max(...sums)),
  });
}

function round(value) {
  return Math.round(value * 10) / 10;
}
