// How OHIF is set up at Galena: one data source, our own DICOMweb at the same origin; the session's cookie is all
// the identity there is. Nothing is loaded from elsewhere, and no address in the URL changes that.
window.config = {
  name: "galena",
  routerBasename: "/viewer",
  extensions: [],
  modes: [],
  customizationService: { "ohif.tours": { $set: [] } }, // no balloons over the images
  // On a telephone the list of series would leave a strip for the images: it opens when asked for.
  modesConfiguration: matchMedia("(max-width: 700px)").matches ? { "@ohif/mode-longitudinal": { routes: { 0: {
    layoutInstance: { props: { leftPanelClosed: { $set: true } } } } } } } : {},
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
