import type { IncomingMessage, ServerResponse } from 'node:http';
import { StreamError } from '@rivulet/protocol';
import type { StreamSummary } from '@rivulet/protocol';
import type { Principal } from '@rivulet/service';
import { ChannelFeed } from './channel-feed';
import { openChannel } from './channel-start';
import { acceptsGzip } from './coding';
import { serveContent } from './content';
import type { Delivery } from './delivery';
import { EventStream } from './event-stream';
import { SseFeed } from './sse-feed';
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
      return await this.delivery.options.source.summary(streamNo);
    } finally {
      this.delivery.options.source.release(entry);
    }
  }

  events(streamNo: string, watching: Watching): Promise<void> {
    return this.orUnavailable(watching, async () => {
      const { delivery } = this;
      const principal = await watching.authenticate();
      const { cursor, intervalMs } = watching.query();
      const entry = await delivery.open(streamNo, [principal]);
      try {
        const place = await delivery.place(entry, cursor);
        const { request, response } = watching;
        // [WATCH-2] The reader has everything: 204 makes EventSource stop.
        if (place.isFinished) response.writeHead(204).end();
        else if (request.method === 'HEAD') response.writeHead(200, EventStream.HEADERS).end();
        else if (!response.destroyed && !request.socket.destroyed) {
          return void new SseFeed(delivery, response, entry, place, { intervalMs, acceptsGzip: acceptsGzip(request) });
        }
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
