// bullmq.mjs: BullMQ for client.mjs. A delayed job is a hash and a member of a sorted set of Redis; one
// connection, whose commands ioredis pipelines. A worker waits in Redis for the next due time.
import {createRequire} from "node:module";

const {Queue, Worker} = createRequire(process.env.PAWL_PEERS_NODE + "/")("bullmq");
const NAME = "bench";
const WORKERS = 64;
const OPTIONS = {removeOnComplete: true};

export async function open({port}) {
    const connection = {host: "127.0.0.1", port, maxRetriesPerRequest: null};
    const queue = new Queue(NAME, {connection});
    await queue.waitUntilReady();
    const options = ({id, due}) => {
        const timestamp = Date.now();
        return {...OPTIONS, jobId: id, timestamp, delay: due ? Math.round(due) - timestamp : 0};
    };
    return {
        add: (job) => queue.add("run", job.data, options(job)),
        addMany: (jobs) => queue.addBulk(jobs.map((job) => ({name: "run", data: job.data, opts: options(job)}))),
        async work(handle, done) {
            const worker = new Worker(NAME, async (job) => handle(job.data), {connection, concurrency: WORKERS});
            worker.on("completed", done);
            await worker.waitUntilReady();
            return () => worker.close();
        },
        close: () => queue.close(),
    };
}
