// A table that keeps its rows while their figures change, is searched by words and sorted by its headings.

import { figure, list, make, say } from "./dom.js";
import { write } from "./format.js";
import { t } from "./words.js";

// most is how many rows are shown before somebody asks for all.
const most = 20;

// A column has head, the key of its heading; value(row), by which it sorts; and as, how the value is written, or fill(cell, row).
export class Table {
  constructor(section, { name, columns, keyOf, text, sort, descending = false }) {
    Object.assign(this, { name, columns, keyOf, text, sort, descending, rows: [], words: [], all: false });
    this.caption = make("caption", { class: "unseen" });
    this.head = make("tr", { role: "row" });
    for (const column of columns) {
      const button = make("button", { type: "button" });
      button.addEventListener("click", () => this.order(column));
      this.head.append(make("th", { scope: "col", role: "columnheader", class: column.kind ?? (column.fill ? "" : "num") }, button));
    }
    this.body = make("tbody", { role: "rowgroup" });
    this.none = make("p", { class: "none", hidden: true });
    this.more = make("button", { type: "button", class: "more", hidden: true });
    this.more.addEventListener("click", () => {
      this.all = !this.all;
      this.render();
    });
    const thead = make("thead", { role: "rowgroup" }, this.head);
    section.append(make("table", { role: "table" }, this.caption, thead, this.body), this.none, this.more);
  }

  // show takes rows; search takes words that must all stand in a row's text. Both return how many rows match.
  show(rows) {
    this.rows = rows;
    return this.render();
  }

  search(words) {
    this.words = words;
    return this.render();
  }

  order(column) {
    this.descending = this.sort === column ? !this.descending : !column.fill;
    this.sort = column;
    this.render();
  }

  render() {
    say(this.caption, t(`${this.name}_caption`));
    for (const [i, column] of this.columns.entries()) {
      const heading = this.head.children[i];
      say(heading.firstChild, t(column.head));
      if (column === this.sort) heading.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    }
    const matching = this.rows.filter((row) => {
      const text = this.text(row).toLowerCase();
      return this.words.every((word) => text.includes(word));
    });
    if (this.sort) matching.sort((a, b) => this.compare(a, b));
    const shown = this.all ? matching : matching.slice(0, most);
    list(this.body, shown, this.keyOf, () => this.line(), (line, row) => this.fill(line, row));
    this.none.hidden = matching.length > 0;
    say(this.none, t(this.words.length > 0 ? "found_none" : "none"));
    this.more.hidden = matching.length <= most;
    say(this.more, this.all ? t("show_less") : t("show_all", { n: write(matching.length, "count") }));
    return matching.length;
  }

  // compare puts what is unknown last, whichever way is sorted.
  compare(a, b) {
    const [x, y] = [this.sort.value(a), this.sort.value(b)];
    const missing = (v) => v === undefined || v === null;
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    const order = typeof x === "string" ? x.localeCompare(y) : x - y;
    return this.descending ? -order : order;
  }

  line() {
    const line = make("tr", { role: "row" });
    for (const [i, column] of this.columns.entries()) {
      const cell = i === 0 ? make("th", { scope: "row", role: "rowheader" }) : make("td", { role: "cell", class: column.kind ?? (column.fill ? "" : "num") });
      if (!column.fill) cell.append(make("data"));
      line.append(cell);
    }
    return line;
  }

  fill(line, row) {
    for (const [i, column] of this.columns.entries()) {
      const cell = line.children[i];
      cell.dataset.head = t(column.head);
      if (column.fill) column.fill(cell, row);
      else figure(cell.firstChild, write(column.value(row), column.as), column.value(row));
    }
  }
}
