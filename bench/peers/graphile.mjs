// graphile.mjs: graphile-worker for client.mjs. A job is a row of a table of PostgreSQL with a job_key;
// add_job and add_jobs are functions in it. A worker looks for jobs whose time has come every
// pollInterval (2 s by default); "tuned" is the same, every 50 ms. The pool has as many connections as
// it has by default: 64 submits under way share them.
import {createRequire} from "node:module";

const require = createRequire(process.env.PAWL_PEERS_NODE + "/");
const {Logger, makeWorkerUtils, run} = require("graphile-worker");
const {Pool} = require("pg");
const POOL = 10;
const WORKERS = 16;
const TUNED_MS = 50;
const logger = new Logger(() => () => {});

const at = (due) => due ? new Date(due) : undefined;

export async function open({port, user}) {
    const pgPool = new Pool({host: "127.0.0.1", port, user, database: "postgres", max: POOL});
    const utils = await makeWorkerUtils({pgPool, logger});
    await utils.migrate();
    return {
        add: ({id, data, due}) => utils.addJob("run", {data}, {jobKey: id, runAt: at(due)}),
        addMany: (jobs) => pgPool.query(
            `select count(*) from graphile_worker.add_jobs(array(
                select ('run', json_build_object('data', job->>'data'), null, (job->>'due')::timestamptz,
                        null, job->>'id', null, null)::graphile_worker.job_spec
                from json_array_elements($1::json) job))`,
            [JSON.stringify(jobs.map((job) => ({...job, due: at(job.due)})))]),
        async work(handle, done, isTuned) {
            const runner = await run({
                pgPool, logger, concurrency: WORKERS, noHandleSignals: true,
                ...(isTuned ? {pollInterval: TUNED_MS} : {}),
                taskList: {run: async ({data}) => handle(data)},
            });
            runner.events.on("job:complete", done);
            return () => runner.stop();
        },
        async close() {
            await utils.release();
            await pgPool.end();
        },
    };
}
