// Reads {root, key: {hint: base64 DER}, bundles: [...]} and prints, for each bundle, "verified" or what was refused.
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

function verdict(verifier, bundle) {
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(bundle)));
    return "verified";
  } catch (fault) {
    return `refused: ${fault.name} ${fault.code ?? ""} ${fault.message}`.slice(0, 200);
  }
}

const asked = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const keys = Object.fromEntries(
  Object.entries(asked.keys).map(([hint, der]) => [hint, { rawBytes: Buffer.from(der, "base64") }]),
);
const material = toTrustMaterial(TrustedRoot.fromJSON(asked.root), keys);
const verifier = new Verifier(material, { ctlogThreshold: 0, timestampThreshold: 0, tlogThreshold: 1 });
console.log(JSON.stringify(asked.bundles.map((bundle) => verdict(verifier, bundle))));
