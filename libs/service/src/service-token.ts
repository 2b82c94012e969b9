import { timingSafeEqual } from 'node:crypto';
import { hmac } from './hashing';

const digest = (text: string): Uint8Array => hmac(Buffer.from('service-token'))(Buffer.from(text));

/** Who shows it is one of our own processes: two tokens while they are exchanged. An empty one is none, for it would let everybody in. */
export class ServiceTokens {
  private readonly expected: readonly Uint8Array[];

  constructor({ serviceToken, serviceTokenOther }: { serviceToken: string; serviceTokenOther: string }) {
    this.expected = [serviceToken, serviceTokenOther].filter((token) => token !== '').map((token) => digest(`Bearer ${token}`));
  }

  /** @param authorization as it came, `Bearer …` */
  admits(authorization: unknown): boolean {
    const shown = typeof authorization === 'string' ? digest(authorization) : null;
    return shown !== null && this.expected.some((expected) => timingSafeEqual(shown, expected));
  }
}

export const SERVICE_TOKEN_DETAIL = 'The service token is missing or not ours: RIVULET_SERVICE_TOKEN must be the same in every process.';
