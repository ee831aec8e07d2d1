import { activityId, deliveryPlace } from '../../../sdk/protocol/activity-id.js';

test.each([
  ['train', 'train', 1, 1],
  ['train#2', 'train#2', 1, 1],
  ['train#2@2', 'train#2', 2, 1],
  ['train@1.2', 'train', 1, 2],
  ['train@12.30', 'train', 12, 30],
])('%s is a delivery of %s', (id, path, attempt, delivery) => {
  expect(activityId({ path, attempt, delivery })).toBe(id);
  expect(deliveryPlace(id)).toEqual({ path, attempt, delivery });
});
