// How figures are written. Nothing is worked out here but digits, units and the quotient of two figures that stand beside it (docs/console.md).

let locale = "en";

// speak sets the language that numbers and times are written in.
export function speak(language) {
  locale = language;
}

// unknown is what stands for a figure that nobody knows. It is set with the language.
export const unknown = { text: "unknown" };

const number = (options) => (n) => new Intl.NumberFormat(locale, options).format(n);

// significant writes a number with so many significant digits, and at least as many decimals as make it one of a column of its like.
function significant(n, digits) {
  if (n === 0) return "0";
  const decimals = Math.max(0, Math.min(12, digits - 1 - Math.floor(Math.log10(Math.abs(n)))));
  return number({ minimumFractionDigits: Math.min(decimals, digits), maximumFractionDigits: decimals })(n);
}

// decimals are those of every figure in Eflops but the headline, so that columns can be compared: three, and more for a small province.
let decimals = 3;

// fit chooses them for a province of so many Eflops.
export function fit(rated) {
  decimals = rated > 0 && rated < 1 ? Math.min(12, 3 - Math.floor(Math.log10(rated))) : 3;
}

// eflops does not write zero for what is not: it is then less than the last digit.
function eflops(n) {
  const least = 10 ** -decimals;
  const text = number({ minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  if (n === 0) return "0";
  return n < least / 2 ? `< ${text(least)}` : text(n);
}

function power(watts) {
  for (const [unit, size] of [["GW", 1e9], ["MW", 1e6], ["kW", 1e3]]) {
    if (watts >= size) return `${significant(watts / size, 3)} ${unit}`;
  }
  return `${significant(watts, 3)} W`;
}

function seconds(s) {
  if (s >= 7200) return `${number({ maximumFractionDigits: 1 })(s / 3600)} h`;
  if (s >= 120) return `${number({ maximumFractionDigits: 1 })(s / 60)} min`;
  return `${number({ minimumFractionDigits: 1, maximumFractionDigits: 1 })(s)} s`;
}

// share does not round to what is not so: 99.97 % is not 100 %, and a little is not nothing.
function share(s) {
  const percent = number({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
  if (s > 0 && s < 0.0005) return `< ${percent(0.1)} %`;
  return `${percent(s < 1 ? Math.min(s * 100, 99.9) : s * 100)} %`;
}

const clock = (options) => (iso) => new Intl.DateTimeFormat(locale === "zh" ? "zh-CN" : "en-GB", options).format(new Date(iso));

// as holds the ways to write a figure, by the name that data-as gives.
export const as = {
  headline: (n) => significant(n, 4),
  eflops,
  round: (n) => number({ maximumFractionDigits: 6 })(n),
  count: (n) => number({ maximumFractionDigits: 0 })(n),
  plain: (n) => String(n),
  text: (s) => String(s),
  share,
  power,
  seconds,
  tflops: (n) => significant(n, 3),
  time: clock({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  moment: clock({ month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }),
  hour: clock({ hour: "2-digit", minute: "2-digit" }),
};

// write is a figure in words: unknown where there is none, and never zero instead.
export function write(value, how) {
  if (value === null || value === undefined || value === "" || Number.isNaN(value)) return unknown.text;
  return as[how](value);
}

// at looks a figure up by its place: at(answers, "capacity.total.eflops.online").
export function at(answers, place) {
  return place.split(".").reduce((o, key) => (o === null || o === undefined ? undefined : o[key]), answers);
}

// quotient is one figure of an answer divided by another; undefined where one of them is unknown or the divisor is zero.
export function quotient(a, b) {
  return Number.isFinite(a) && Number.isFinite(b) && b > 0 ? a / b : undefined;
}
