export { RivuletChatTransport } from './chat-transport';
export type { RivuletChatTransportOptions } from './chat-transport';
export { findUIMessageStream, pipeUIMessageStream } from './ui-message-stream';
export type { AnswerEnd, AnswerOptions, AnswerTicket, PipedAnswer } from './ui-message-stream';
