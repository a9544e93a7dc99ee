// An identity provider, as far as the server looks at one.
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";

const CLIENT_ID = "the-game";

/** @returns {Promise<{settings: Record<string, string>, token: (sub: string) => string, stop: () => void}>} */
export async function startIssuer() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...publicKey.export({ format: "jwk" }), kid: "1", alg: "ES256", use: "sig" };
  const server = createServer((request, response) => {
    const document = request.url === "/keys" ? { keys: [key] } : { issuer: url, jwks_uri: `${url}/keys` };
    response.setHeader("content-type", "application/json").end(JSON.stringify(document));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    settings: { ASOBI_OIDC__TEST__ISSUER: url, ASOBI_OIDC__TEST__CLIENT_ID: CLIENT_ID },
    token(sub) {
      const exp = Math.floor(Date.now() / 1000) + 600;
      const parts = [{ alg: "ES256", kid: "1" }, { iss: url, aud: CLIENT_ID, sub, exp }];
      const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
      const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${text}.${signature.toString("base64url")}`;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
