import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamError } from '@rivulet/protocol';
import type { ConfirmedReply, StreamSummary } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { ChannelFeed } from './channel-feed';
import { openChannel } from './channel-start';
import { acceptsGzip } from './coding';
import { serveContent } from './content';
import type { Delivery } from './delivery';
import { EventStream } from './event-stream';
import { SseFeed } from './sse-feed';
import { parseAck } from './watch-request';
import type { WatchQuery } from './watch-request';

/** A request whose head was read; the answer goes to the raw response. */
export interface Watching {
  request: IncomingMessage;
  response: ServerResponse;
  /** Rejects when there is no valid credential. */
  authenticate: () => Promise<Principal>;
  query: () => WatchQuery;
}

/** The HTTP routes of watching, without the framework. Everything thrown is thrown before the head of the answer. */
export class Watch {
  constructor(private readonly delivery: Delivery) {}

  async state(streamNo: string, principal: Principal): Promise<StreamSummary> {
    const entry = await this.delivery.open(streamNo, [principal]);
    try {
      const { source, sessions } = this.delivery.options;
      // [WATCH-7] Proof of delivery: who confirmed what.
      const confirmed = await sessions.confirmed(streamNo, entry.partition);
      return { ...await source.summary(streamNo), ...(confirmed === null ? {} : { confirmed }) };
    } finally {
      this.delivery.options.source.release(entry);
    }
  }

  /** [WATCH-6] @param body as received */
  async ack(streamNo: string, principal: Principal, body: unknown): Promise<ConfirmedReply> {
    const { session, cursor } = parseAck(body);
    return this.delivery.confirm(streamNo, [principal], session, cursor);
  }

  events(streamNo: string, watching: Watching): Promise<void> {
    return this.orUnavailable(watching, async () => {
      const { delivery } = this;
      const principal = await watching.authenticate();
      const { cursor, intervalMs, named: request } = watching.query();
      const entry = await delivery.open(streamNo, [principal]);
      try {
        const { response, request: { method, socket } } = watching;
        // Who only asks for the head takes no name from anybody.
        const { place, named } = await delivery.start(entry, cursor, method === 'HEAD' ? null : request);
        // [WATCH-2] The reader has everything: 204 makes EventSource stop.
        if (place.isFinished) response.writeHead(204).end();
        else if (method === 'HEAD') response.writeHead(200, EventStream.HEADERS).end();
        else if (!response.destroyed && !socket.destroyed) {
          const options = { principal, intervalMs, acceptsGzip: acceptsGzip(watching.request) };
          return void new SseFeed(delivery, response, entry, place, options, named);
        }
        named?.stop();
        delivery.options.source.release(entry);
      } catch (error) {
        delivery.options.source.release(entry);
        throw error;
      }
    });
  }

  channel(channel: string, watching: Watching): Promise<void> {
    return this.orUnavailable(watching, async () => {
      const principal = await watching.authenticate();
      const { cursor, endedMax, intervalMs } = watching.query();
      const { request, response } = watching;
      const principals = [principal];
      this.delivery.authorize(principals, { scope: 'read', channel });
      const { place, reset, handle } = await openChannel(this.delivery, { channel, from: cursor, endedMax, principals });
      if (request.method === 'HEAD') response.writeHead(200, EventStream.HEADERS).end();
      else if (!response.destroyed && !request.socket.destroyed) {
        return void new ChannelFeed(this.delivery, response, { handle, place, principals, intervalMs }, reset);
      }
      handle.stop();
    });
  }

  async content(streamNo: string, { authenticate, query, request, response }: Watching): Promise<void> {
    const principal = await authenticate();
    await serveContent(this.delivery, { streamNo, principal, isLive: query().isLive }, request, response);
  }

  /** [WATCH-10] EventSource never tries again after a status other than 200, so trouble that will pass is told as an event. */
  private async orUnavailable({ request, response }: Watching, answer: () => Promise<void>): Promise<void> {
    try {
      await answer();
    } catch (error) {
      const isTransient = error instanceof StreamError && error.row.next === 'retry' && !response.headersSent;
      if (!isTransient || !(request.headers.accept ?? '').includes('text/event-stream')) throw error;
      new EventStream(response, { onWritable: () => undefined, onClose: () => undefined }).endUnavailable(error);
    }
  }
}
