// Elements, made and changed without markup: whatever a name holds, it is text.

// make makes an element with attributes and children; texts become text nodes.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// draw makes an element of SVG.
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// say sets an element's text if it is another one, so that selections and readers are left alone.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// figure sets a <data> element: the text for people, and the value as the API gave it.
export function figure(element, text, value) {
  say(element, text);
  const raw = value === null || value === undefined ? "" : String(value);
  if (element.value !== raw) element.value = raw;
  element.classList.toggle("unknown", raw === "");
}

// bar shows values beside each other as lengths.
export function bar(element, parts) {
  element.setAttribute("aria-hidden", "true");
  for (const [i, [name, value]] of parts.entries()) {
    const span = element.children[i] ?? element.appendChild(make("span"));
    span.className = name;
    span.style.flexGrow = Number.isFinite(value) ? value : 0;
  }
  while (element.children.length > parts.length) element.lastChild.remove();
}

// list makes an element's children those of the keys, in order: known ones stay, new ones are made, others go. Then each is updated.
export function list(parent, items, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = known.get(key);
    known.delete(key);
    if (!child) {
      child = create(item);
      child.dataset.key = key;
    }
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
    update(child, item);
  }
  for (const child of known.values()) child.remove();
}
