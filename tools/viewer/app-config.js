// How OHIF is set up at Galena: one data source, our own DICOMweb at the same origin; the session's cookie is all
// the identity there is. Nothing is loaded from elsewhere, and no address in the URL changes that.

// OHIF draws images of the SOP classes that it lists, and nothing of others. These are images like those: of
// classes that the standard has retired, in old archives, and of manufacturers' own.
const moreImages = {
  id: "galena",
  getSopClassHandlerModule: ({ extensionManager }) => [{
    name: "images",
    sopClassUids: [
      "1.2.840.10008.5.1.4.1.1.3", // Ultrasound Multi-frame, retired
      "1.2.840.10008.5.1.4.1.1.5", // Nuclear Medicine, retired
      "1.2.840.10008.5.1.4.1.1.6", // Ultrasound, retired
      "1.2.840.10008.5.1.4.1.1.12.3", // X-Ray Angiographic Bi-Plane, retired
      "1.2.392.200036.9125.1.1.2", // Fujifilm CR
      "1.2.392.200036.9125.1.1.4", // Fujifilm mammography CR
    ],
    getDisplaySetsFromSeries: (instances) => extensionManager
      .getModuleEntry("@ohif/extension-default.sopClassHandlerModule.stack").getDisplaySetsFromSeries(instances),
  }],
};

// The way back to the list, where OHIF's name would be; with the words searched for, if one came from there: what
// stands before this page in the tab's history is there only if it is one of this archive.
const arrived = window.navigation?.currentEntry?.index ?? 0;

function toStudies(React) {
  const chosen = localStorage.getItem("galena.language") || navigator.language;
  const back = (event) => {
    if (arrived === 0) return;
    event.preventDefault();
    history.go(Math.min(-1, arrived - 1 - window.navigation.currentEntry.index));
  };
  return React.createElement("a", { className: "to-studies", href: "/#/studies", onClick: back },
    "\u2039\u00a0" + (chosen.toLowerCase().startsWith("de") ? "Studien" : "Studies"));
}

window.config = {
  name: "galena",
  whiteLabeling: { createLogoComponentFn: toStudies },
  routerBasename: "/viewer",
  extensions: [moreImages],
  modes: [],
  customizationService: { "ohif.tours": { $set: [] } }, // no balloons over the images
  // On a telephone the list of series would leave a strip for the images: it opens when asked for.
  modesConfiguration: { "@ohif/mode-longitudinal": {
    sopClassHandlers: { $push: ["galena.sopClassHandlerModule.images"] },
    ...(matchMedia("(max-width: 700px), (max-height: 500px)").matches ? { routes: { 0: {
      layoutInstance: { props: { leftPanelClosed: { $set: true } } } } } } : {}),
  } },
  showStudyList: false, // the site has a better one
  showWarningMessageForCrossOrigin: false,
  showCPUFallbackMessage: true,
  showLoadingIndicator: true,
  showErrorDetails: "production",
  strictZSpacingForVolumeViewport: true,
  groupEnabledModesFirst: true,
  allowMultiSelectExport: false,
  maxNumberOfWebWorkers: 3,
  // One connection of HTTP/2 carries them all; the server takes sixteen at once.
  maxNumRequests: { interaction: 16, thumbnail: 4, prefetch: 8 },
  investigationalUseDialog: { option: "never" },
  defaultDataSourceName: "galena",
  dataSources: [
    {
      namespace: "@ohif/extension-default.dataSourcesModule.dicomweb",
      sourceName: "galena",
      configuration: {
        friendlyName: "Galena",
        name: "galena",
        qidoRoot: location.origin + "/dicomweb",
        wadoRoot: location.origin + "/dicomweb",
        wadoUriRoot: location.origin + "/wado",
        qidoSupportsIncludeField: true,
        imageRendering: "wadors",
        thumbnailRendering: "wadors",
        enableStudyLazyLoad: true,
        supportsFuzzyMatching: true,
        supportsWildcard: true,
        supportsReject: false,
        dicomUploadEnabled: false, // by the site
        singlepart: "bulkdata,video",
        bulkDataURI: { enabled: true },
        omitQuotationForMultipartRequest: true,
        requestTransferSyntaxUID: "*", // as it was stored; the browser has the codecs
      },
    },
  ],
  httpErrorHandler: (error) => {
    // The session is over: sign in, and come back here.
    if (error.status === 401)
      location.assign("/?return=" + encodeURIComponent(location.pathname + location.search));
  },
};
