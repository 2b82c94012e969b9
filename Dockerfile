# One image per service from one build: docker build --target allocator|ingest|fanout|plugins|proxy .
ARG BASE_IMAGE=node:22-bookworm-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /app
# What is installed changes seldom: its own layer, made from the package files alone.
COPY package.json package-lock.json .npmrc ./
COPY libs/protocol/package.json libs/protocol/
COPY libs/log/package.json libs/log/
COPY libs/service/package.json libs/service/
COPY libs/client/package.json libs/client/
COPY libs/plugin-sdk/package.json libs/plugin-sdk/
COPY apps/allocator/package.json apps/allocator/
COPY apps/ingest/package.json apps/ingest/
COPY apps/fanout/package.json apps/fanout/
COPY apps/plugins/package.json apps/plugins/
COPY apps/standalone/package.json apps/standalone/
COPY apps/cli/package.json apps/cli/
COPY plugins/echo/package.json plugins/echo/
COPY plugins/ticker/package.json plugins/ticker/
COPY plugins/file/package.json plugins/file/
COPY plugins/ai-chat/package.json plugins/ai-chat/
RUN npm ci
COPY nx.json tsconfig.base.json ./
COPY libs libs
COPY apps apps
COPY plugins plugins
RUN NX_DAEMON=false npm run build && npm prune --omit=dev && rm -rf .nx
COPY tools tools

FROM ${BASE_IMAGE} AS runtime
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /app /app
# Not root, by number: whether the base image has a name for it does not matter.
USER 1000:1000
STOPSIGNAL SIGTERM

FROM runtime AS allocator
EXPOSE 7101 7111
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=12 CMD ["node", "tools/health.mjs", "http://127.0.0.1:7101/readyz"]
CMD ["node", "apps/allocator/dist/main.js"]

FROM runtime AS ingest
EXPOSE 7102
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=12 CMD ["node", "tools/health.mjs", "http://127.0.0.1:7102/readyz"]
CMD ["node", "apps/ingest/dist/main.js"]

FROM runtime AS fanout
EXPOSE 7103
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=12 CMD ["node", "tools/health.mjs", "http://127.0.0.1:7103/readyz"]
CMD ["node", "apps/fanout/dist/main.js"]

FROM runtime AS plugins
EXPOSE 7104
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=12 CMD ["node", "tools/health.mjs", "http://127.0.0.1:7104/readyz"]
CMD ["node", "apps/plugins/dist/main.js"]

FROM runtime AS proxy
EXPOSE 7100
HEALTHCHECK --interval=5s --timeout=5s --start-period=5s --retries=12 CMD ["node", "tools/health.mjs", "http://127.0.0.1:7100/readyz"]
CMD ["node", "tools/proxy.mjs", "--host=0.0.0.0", "--allocator=http://allocator:7101", "--ingest=http://ingest:7102", "--fanout=http://fanout:7103", "--plugins=http://plugins:7104"]
