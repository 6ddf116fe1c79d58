// What somebody prefers: from the page's address, else as it was chosen last in this browser.

// preferred is a preference, if it is one of the values.
export function preferred(name, values) {
  let kept;
  try {
    kept = localStorage.getItem(`exameter.${name}`);
  } catch {
    // storage is switched off: nothing is kept
  }
  return [new URLSearchParams(location.search).get(name), kept].find((value) => values.includes(value));
}

// prefer keeps a preference.
export function prefer(name, value) {
  try {
    localStorage.setItem(`exameter.${name}`, value);
  } catch {
    // it lasts as long as the page does
  }
}
