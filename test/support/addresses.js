// Loaded before a bundle: the name `localhost` has the addresses in ADDRESSES, in their order.
const dns = require("node:dns");

const lookup = dns.lookup;
const addresses = process.env.ADDRESSES.split(",").map((address) => ({ address, family: 4 }));

dns.lookup = (hostname, options, callback) => {
  if (hostname !== "localhost") return lookup(hostname, options, callback);
  if (options.all) process.nextTick(callback, null, addresses);
  else process.nextTick(callback, null, addresses[0].address, 4);
};
