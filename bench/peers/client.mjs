// client.mjs: the client and the worker of a peer whose library is one of Node. A peer is a module
// that has open(address) and gives {add(job), addMany(jobs), work(handle, isTuned), close()}; a job has
// id, data and due (Unix milliseconds; 0: at once). The library is found in PAWL_PEERS_NODE.
//
//     node client.mjs PEER WORK '{"address":..., ...}'
//
// prints one line of JSON; a worker says "ready" before.

const [peer, work, text] = process.argv.slice(2);
const given = JSON.parse(text);
const DAY = 86400e3;
const now = () => performance.timeOrigin + performance.now();
const seconds = (from) => (performance.now() - from) / 1000;
const id = (prefix, number) => `${prefix}-${String(number).padStart(19 - prefix.length, "0")}`;

// So many adds under way, each followed by the next. One of each opens the connections; then it says
// "ready", and begins when it is told.
async function submit(client) {
    let sent = 0;
    await Promise.all(Array.from({length: given.connections},
        (_, i) => client.add({id: id("open", i), data: given.script, due: now() + DAY})));
    console.log("ready");
    await new Promise((resolve) => process.stdin.once("data", resolve));
    const began = performance.now();
    const one = async () => {
        while (seconds(began) < given.seconds)
            await client.add({id: id("load", sent++), data: given.script, due: now() + DAY});
    };
    await Promise.all(Array.from({length: given.connections}, one));
    return {n: sent, seconds: seconds(began)};
}

async function bulk(client) {
    const due = given.now ? 0 : now() + DAY;
    const began = performance.now();
    let sent = 0;
    while (seconds(began) < given.seconds && sent < given.atMost) {
        const jobs = Array.from({length: Math.min(given.batch, given.atMost - sent)},
            (_, i) => ({id: id(given.prefix, sent + i), data: given.script, due}));
        await client.addMany(jobs);
        sent += jobs.length;
    }
    return {n: sent, seconds: seconds(began)};
}

// Jobs at a rate, each due a while later; the due time is what they carry.
async function pace(client) {
    const began = now();
    const adds = [];
    const n = given.rate * given.seconds;
    for (let i = 0; i < n; i++) {
        const wait = began + i * 1000 / given.rate - now();
        if (wait > 0)
            await new Promise((resolve) => setTimeout(resolve, wait));
        const due = Math.round(now() + given.lead * 1000);
        adds.push(client.add({id: id(given.prefix, i), data: due, due}));
    }
    await Promise.all(adds);
    return {n};
}

// n jobs, handled: what each handler was given is passed on with the moment of its call.
async function handle(client, n, note) {
    let left = n;
    let resolve;
    const done = new Promise((resolve_) => { resolve = resolve_; });
    const stop = await client.work((data) => note(now(), data), () => { --left || resolve(); }, given.tuned);
    console.log("ready");
    await done;
    const ended = now();
    await stop();
    return ended;
}

async function late(client) {
    const found = [];
    await handle(client, given.n, (moment, due) => found.push((moment - due) / 1000));
    return found;
}

async function run(client) {
    let first;
    const ended = await handle(client, given.n, (moment) => { first ??= moment; });
    return {n: given.n, seconds: (ended - first) / 1000};
}

const {open} = await import(`./${peer}.mjs`);
const client = await open(given);
const result = await {submit, bulk, pace, late, run}[work](client);
await client.close();
console.log(JSON.stringify(result));
process.exit(0);
