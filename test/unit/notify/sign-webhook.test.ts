import { webhookHeaders } from '../../../notify/sign-webhook.js';

const message = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1614265330,
  body: '{"test": 2432232314}',
};

test('a message is signed as the Standard Webhooks convention has it', () => {
  // The example of the convention's own libraries.
  expect(webhookHeaders(message, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('any text may be a secret, and none means no signature', () => {
  const other = webhookHeaders(message, 'a plain word')['webhook-signature'];
  expect(other).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
  expect(other).not.toBe(webhookHeaders({ ...message, body: '{}' }, 'a plain word')['webhook-signature']);
  expect(webhookHeaders(message, undefined)).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
  });
});
