// dcmjs-dimse, as npm has it, over TLS: what test_dimse_client.py says on standard input; what it got on standard
// output. It is the client of every service, and the receiver of a C-MOVE.
import dimse from "dcmjs-dimse";
import { readFileSync } from "node:fs";

const { Client, Scp, Server } = dimse;
const { CEchoRequest, CFindRequest, CGetRequest, CMoveRequest, CStoreRequest } = dimse.requests;
const { CEchoResponse, CStoreResponse } = dimse.responses;
const { PresentationContextResult, Status } = dimse.constants;

dimse.log.setLevel("silent"); // it logs to standard output
const asked = JSON.parse(readFileSync(0, "utf8"));
const pem = (name) => readFileSync(`${asked.peer}/${name}.pem`);
const tls = { key: pem("key"), cert: pem("cert"), ca: pem("ca"), rejectUnauthorized: true, requestCert: true };
const counts = (r) => ({ completed: r.getCompleted(), failed: r.getFailures(), warned: r.getWarnings() });

function taken(request) {
  const elements = request.getDataset().getElements();
  const response = CStoreResponse.fromRequest(request);
  response.setStatus(Status.Success);
  return [response, { instance: elements.SOPInstanceUID, name: elements.PatientName,
    pixels: Buffer.from(elements.PixelData[0]).toString("base64") }];
}

class Receiver extends Scp {
  associationRequested(association) {
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id);
      context.setResult(PresentationContextResult.Accept, context.getTransferSyntaxUids()[0]);
    }
    this.sendAssociationAccept();
  }
  cEchoRequest(request, callback) {
    const response = CEchoResponse.fromRequest(request);
    response.setStatus(Status.Success);
    callback(response);
  }
  cStoreRequest(request, callback) {
    const [response, got] = taken(request);
    moved.push(got);
    callback(response);
  }
  associationReleaseRequested() {
    this.sendAssociationReleaseResponse();
  }
}

const moved = [];

// All requests on one association: for each its responses, and the objects that came by C-GET.
function talk(requests, options = {}) {
  return new Promise((resolve, reject) => {
    const client = new Client();
    const stored = [];
    const answers = requests.map(() => []);
    requests.forEach((request, i) => {
      request.on("response", (r) => answers[i].push(r));
      client.addRequest(request);
    });
    client.on("cStoreRequest", (request, callback) => {
      const [response, got] = taken(request);
      stored.push(got);
      callback(response);
    });
    client.on("networkError", reject);
    client.on("associationRejected", (r) => reject(new Error(`rejected: ${JSON.stringify(r)}`)));
    client.on("closed", () => resolve({ answers, stored }));
    client.send("127.0.0.1", asked.port, asked.ae, "GALENA", { securityOptions: tls, ...options });
  });
}

const last = (answers) => answers[answers.length - 1];
const found = (answers) => answers.filter((r) => r.getStatus() === Status.Pending && r.hasDataset())
  .map((r) => r.getDataset().getElements());

const server = new Server(Receiver);
server.on("networkError", (e) => { throw e; });
server.listen(asked.receiver, { securityOptions: tls });

const got = {};
let said = await talk([new CEchoRequest(), ...asked.files.map((f) => new CStoreRequest(f))],
  { asyncOps: { maxAsyncOpsInvoked: 5, maxAsyncOpsPerformed: 5 } });
got.stored = said.answers.map((a) => last(a).getStatus());

said = await talk([CFindRequest.createStudyFindRequest({ PatientName: asked.name, PatientID: "", StudyInstanceUID: "" }),
  CFindRequest.createSeriesFindRequest({ StudyInstanceUID: asked.study, Modality: "" }),
  CFindRequest.createImageFindRequest({ StudyInstanceUID: asked.study, SeriesInstanceUID: asked.series,
    InstanceNumber: "" }),
  CFindRequest.createStudyFindRequest({ PatientName: "Nobody^Here" })]);
got.found = said.answers.map(found);
got.find_ends = said.answers.map((a) => last(a).getStatus());

said = await talk([CGetRequest.createStudyGetRequest(asked.study)]);
got.get = { status: last(said.answers[0]).getStatus(), ...counts(last(said.answers[0])), objects: said.stored };

said = await talk([CMoveRequest.createSeriesMoveRequest(asked.ae, asked.study, asked.series)]);
got.move = { status: last(said.answers[0]).getStatus(), ...counts(last(said.answers[0])), objects: moved };

said = await talk([CMoveRequest.createStudyMoveRequest("ELSEWHERE", asked.study)]);
got.elsewhere = last(said.answers[0]).getStatus();

const stranger = new Client();
got.stranger = await new Promise((resolve) => {
  stranger.addRequest(new CEchoRequest());
  stranger.on("networkError", () => resolve("refused"));
  stranger.on("associationAccepted", () => resolve("accepted"));
  stranger.send("127.0.0.1", asked.port, asked.ae, "GALENA", { securityOptions: { ca: tls.ca } });
});
server.close();
console.log(JSON.stringify(got));
process.exit(0);
