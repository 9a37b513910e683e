// Run by node where `node-routeros` is installed: what its user sees of a lab router, as JSON on stdout.
const { RouterOSAPI } = require('node-routeros');

const router = JSON.parse(process.env.LAB_ROUTER);

async function story(options) {
  const api = new RouterOSAPI({ host: router.host, user: router.user, password: router.password, ...options });
  const seen = {};
  await api.connect();
  seen.identity = (await api.write('/system/identity/print'))[0].name;
  const added = await api.write('/interface/bridge/add', ['=name=bridge-ts', '=comment=a=b']);
  const find = () => api.write('/interface/bridge/print', ['?name=bridge-ts', '=.proplist=.id,name,comment']);
  seen.added = (await find()).map((row) => [row['.id'] === added[0].ret, row.name, row.comment]);
  await api.write('/interface/bridge/set', [`=.id=${added[0].ret}`, '=comment=changed']);
  seen.changed = (await find()).map((row) => row.comment);
  const either = await api.write('/ip/service/print', ['?name=api', '?name=api-ssl', '?#|']);
  seen.either = either.map((row) => row.name);
  const atOnce = await Promise.all(['/system/identity/print', '/ip/service/print'].map((path) => api.write(path)));
  seen.atOnce = atOnce.map((rows) => rows.length);
  seen.followed = await follow(api);
  await api.write('/interface/bridge/remove', [`=.id=${added[0].ret}`]);
  seen.left = await api.write('/interface/bridge/print', ['=count-only=']);
  seen.error = await api.write('/interface/bridge/remove', [`=.id=${added[0].ret}`]).catch((error) => error.message);
  await api.close();
  return seen;
}

// A stream of log lines until the first one, which another command writes, and then cancelled.
function follow(api) {
  return new Promise((resolve, reject) => {
    const stream = api.stream(['/log/print', '=follow-only='], (error, row) => {
      if (error) reject(error);
      else stream.stop().then(() => resolve(row.message), reject);
    });
    setImmediate(() => api.write('/log/info', ['=message=hello']).catch(reject));
  });
}

async function main() {
  const plain = await story({ port: router.port });
  const tls = await story({ port: router.tls_port, tls: { rejectUnauthorized: false } });
  const wrong = new RouterOSAPI({ host: router.host, port: router.port, user: router.user, password: 'wrong' });
  const refused = await wrong.connect().then(() => 'let in', (error) => error.message);
  process.stdout.write(JSON.stringify({ plain, tls, refused }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
