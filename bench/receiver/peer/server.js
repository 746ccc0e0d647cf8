// The peer: Probot's own server with its signature check and an empty handler; logs only errors, as ours does.
import { generateKeyPairSync } from "node:crypto";
import { Probot, Server } from "probot";
import { pino } from "pino";

const { privateKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const log = pino({ level: "error" });
const server = new Server({
  Probot: Probot.defaults({ appId: 1, privateKey, secret: process.env.BENCH_SECRET, log }),
  host: "127.0.0.1",
  port: Number(process.env.BENCH_PORT),
  log,
});
await server.load((app) => {
  app.on("issues", async () => {});
});
await server.start();
