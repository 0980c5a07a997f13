-- RFC 9562 section 5.7: 48 bits of Unix milliseconds, version 7, 74 random bits (from gen_random_uuid,
-- which is in the core since Postgres 13). Byte 6 of a version 4 value differs from version 7 by two bits.
CREATE FUNCTION uuid_generate_v7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
  SELECT encode(
    set_bit(
      set_bit(
        overlay(
          uuid_send(gen_random_uuid())
          PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
          FROM 1 FOR 6
        ),
        52, 1
      ),
      53, 1
    ),
    'hex'
  )::uuid
$$;
