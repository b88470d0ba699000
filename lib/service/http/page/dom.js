// What is on the page, made and changed in place. What came from the network becomes text, never
// markup.

/** @typedef {Node | string} Content */

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Readonly<Record<string, string>>} attributes
 * @param {readonly Content[]} contents
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...contents) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...contents);
  return element;
}

/**
 * The same for a picture.
 *
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Readonly<Record<string, string>>} attributes
 * @returns {SVGElementTagNameMap[T]}
 */
export function draw(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/**
 * Nothing is touched that says so already: a selection and a screen reader's place stay.
 *
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * @param {HTMLElement} element
 * @param {boolean} isShown
 */
export function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

/**
 * Text whose direction is its own: a name that reads from the right turns nothing around it.
 *
 * @param {string} name
 */
export function isolated(name) {
  return make("bdi", {}, name);
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no ${id}`);
  return element;
}

/**
 * Children for items: made once, changed in place, put in order, taken away. What has the focus is
 * not moved.
 *
 * @template Item
 * @template {HTMLElement} Child
 */
export class Children {
  /** @type {Map<string, { element: Child, update: (item: Item) => void }>} */
  #children = new Map();
  #parent;
  #create;

  /**
   * @param {HTMLElement} parent
   * @param {(item: Item) => { element: Child, update: (item: Item) => void }} create
   */
  constructor(parent, create) {
    this.#parent = parent;
    this.#create = create;
  }

  /**
   * @param {readonly Item[]} items
   * @param {(item: Item) => string} keyOf
   */
  update(items, keyOf) {
    const keys = new Set(items.map(keyOf));
    for (const [key, { element }] of this.#children) {
      if (keys.has(key)) continue;
      element.remove();
      this.#children.delete(key);
    }
    /** @type {ChildNode | null} */
    let place = this.#parent.firstChild;
    for (const item of items) {
      const key = keyOf(item);
      let child = this.#children.get(key);
      if (child === undefined) this.#children.set(key, child = this.#create(item));
      child.update(item);
      if (child.element === place) place = place.nextSibling;
      else this.#parent.insertBefore(child.element, place);
    }
  }

  /** @returns {Iterable<Child>} */
  get elements() {
    return Array.from(this.#children.values(), ({ element }) => element);
  }
}

/**
 * A part of the page with a heading.
 *
 * @param {string} id
 * @param {string} title
 */
export function section(id, title) {
  const heading = make("h2", { id: `${id}-title` }, title);
  const head = make("header", {}, heading);
  const element = make("section", { id, "aria-labelledby": heading.id }, head);
  return { element, head, heading };
}

/**
 * A word with a form and a colour: `good`, `warn`, `bad`, or none of them.
 *
 * @param {HTMLElement} element
 * @param {string} kind
 * @param {string} word
 */
export function state(element, kind, word) {
  mark(element, "class", `state ${kind}`.trim());
  say(element, word);
}
