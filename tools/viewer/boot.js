// What OHIF's page has as scripts in its text; as a file, no page needs 'unsafe-inline'.
window.PUBLIC_URL = "/viewer/";
console.time("scriptToView"); // OHIF reports how long it took
function browserImportFunction(module) {
  return import(module);
}
