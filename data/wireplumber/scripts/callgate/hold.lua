-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- In WirePlumber: gives ordinary clients their permissions, to all but what captures, and holds their capture
-- streams until callgate-pipewire has allowed them: those of sound linked with its source out of which nothing comes,
-- those of pictures that have a relay with that, also then, the others with nothing. Must not decide who may capture: callgate-pipewire says so, for each stream, in the
-- metadata object "callgate"; where there is none, nobody may.
--
-- Security: a client that does not see a node gets no link with it, PipeWire sees to that, and without the factory
-- "link-factory" it makes none at all. Nothing is seen unless it is listed here, so that a microphone that is
-- plugged in is hidden before it is known. Clients get no right to write to other clients: it would let two of them
-- give each other what they like. Whoever says that a portal has connected him gets less by it, never more.

local lutils = require ("linking-utils")
local cutils = require ("common-utils")
local log = Log.open_topic ("s-callgate")

local ACCESS = "callgate"
local CORE_ID = 0
local HIDE_MS = 3000

-- callgate-pipewire's relays. Anybody can say so, and is not seen then.
local function is_relay (properties)
  return (properties ["object.path"] or ""):find ("^callgate%-relay:") ~= nil
end

-- What a program shows, a screen mostly, and no device.
local function is_shown (properties)
  local class = properties ["media.class"]

  return class == "Stream/Output/Video" or
      (class == "Video/Source" and properties ["device.id"] == nil and properties ["client.id"] ~= nil and
       not is_relay (properties))
end

-- Whatever sound or pictures come out of, other than out of a program that plays or shows.
local function is_gated (properties)
  local class = properties ["media.class"] or ""

  return (class:find ("Source") ~= nil or class:find ("Duplex") ~= nil) and not is_shown (properties)
end

local function serial_of (properties)
  return tonumber (properties ["object.serial"]) or 0
end

local managers = {}

-- callgate-pipewire's metadata object, none while it is not there. The last that came: it makes another where nobody hears
-- what it says in one.
local function words ()
  local last, last_serial = nil, -1

  for metadata in managers.metadata:iterate { Constraint { "metadata.name", "=", "callgate" } } do
    local serial = serial_of (metadata ["global-properties"])

    if serial > last_serial then
      last, last_serial = metadata, serial
    end
  end
  return last
end

-- The serial number that it says there, and since when. What stands between them only makes it another text, because it
-- is said again.
local function said (subject, key)
  local metadata = words ()
  local text = metadata and metadata:find (subject, key)

  if text == nil then
    return nil
  end
  return text:match ("^(%d+) %d+ (%d+)$")
end

-- The source for streams that are held. By its serial: anybody can have its name.
local function is_hold (properties)
  local serial = properties ["object.serial"]

  return serial ~= nil and serial == said (CORE_ID, "callgate.hold")
end

-- What an ordinary client may do with an object, or nil for nothing.
local permissions_of = {
  node = function (properties)
    if is_hold (properties) then
      return "rx"
    end
    if properties ["media.class"] == nil or is_gated (properties) then
      return nil
    end
    return "rwxm"
  end,
  device = function () return "rwxm" end,
  link = function () return "r" end,
  client = function () return "r" end,
  -- To be a stream takes this one; the others make links, and nodes that PipeWire itself runs.
  factory = function (properties)
    return properties ["factory.name"] == "client-node" and "rx" or nil
  end,
  metadata = function (properties)
    local name = properties ["metadata.name"]
    return (name == "default" or name == "settings") and "rwxm" or nil
  end,
}

local clients = ObjectManager {
  Interest { type = "client", Constraint { "pipewire.access", "=", ACCESS, type = "pw-global" } }
}

local function id_of (object)
  return object ["bound-id"]
end

-- What a portal has connected and hands on, often to a program in a sandbox. It says so before it appears here, and cannot
-- unsay it. PipeWire says the same of what comes out of Flatpak's sandbox by itself, which is a client like others.
local function is_handed_on (client)
  return client.properties ["pipewire.access.portal.app_id"] ~= nil and
      client.properties ["pipewire.sec.flatpak"] == nil
end

-- The portal takes all from it that is not listed by name, but nothing that is: it gets what its stream needs, and screens
-- where it was not connected for something else. Which of them the portal has picked is not told here; those that there were
-- when it connected, which is not what is known here by then: a node is known later than a client that came after it.
local function is_for (client, kind, properties)
  return not is_handed_on (client) or kind == "factory" or is_hold (properties) or
      (is_shown (properties) and (client.properties ["pipewire.access.portal.media_roles"] or "") == "" and
       serial_of (properties) < serial_of (client ["global-properties"]))
end

for kind, permissions in pairs (permissions_of) do
  managers [kind] = ObjectManager { Interest { type = kind } }
  managers [kind]:connect ("object-added", function (_, object)
    local properties = object ["global-properties"] or object.properties
    local allowed = permissions (properties)

    if allowed == nil then
      return
    end
    for client in clients:iterate () do
      if id_of (client) ~= id_of (object) and is_for (client, kind, properties) then
        client:update_permissions { [id_of (object)] = allowed }
      end
    end
  end)
end

clients:connect ("object-added", function (_, client)
  local list = { ["any"] = "-", [CORE_ID] = "rxm" }

  for kind, permissions in pairs (permissions_of) do
    for object in managers [kind]:iterate () do
      local properties = object ["global-properties"] or object.properties
      local allowed = permissions (properties)

      if allowed ~= nil and is_for (client, kind, properties) then
        list [id_of (object)] = allowed
      end
    end
  end
  list [id_of (client)] = "rwx"
  client:update_permissions (list)
  log:info (client, "ordinary client: sees nothing that captures")
end)

-- ---- capture streams ------------------------------------------------------------------------------------------

-- Would this link capture? The class is the client's word, the direction WirePlumber's. A relay sees what the stream that
-- it is for does not, and gets nothing but what captures.
local function captures (si_props, node, target)
  return si_props ["item.node.direction"] == "input" and (is_relay (node) or not is_shown (target))
end

-- Since when the stream may be linked, or nil. Ids are used again; serials are not. What is played, by a sink's monitor
-- or a stream, is a kind of its own.
local function allowed_since (node, target)
  local serial = node.properties ["object.serial"]
  local allowed, since = said (id_of (node), is_gated (target) and "callgate.allow" or "callgate.speaker")

  return serial ~= nil and allowed == serial and since or nil
end

local function properties_of (item)
  return item:get_associated_proxy ("node").properties
end

-- The relay that the stream has, with which it is linked whether it may capture or not.
local function find_relay (om, node)
  local serial, stream = said (id_of (node), "callgate.relay")

  if serial == nil or stream ~= node.properties ["object.serial"] then
    return nil
  end
  return om:lookup { type = "SiLinkable", Constraint { "object.serial", "=", serial } }
end

-- Out of which nothing comes by itself.
local function is_ours (properties)
  return is_hold (properties) or is_relay (properties)
end

local function find_hold (om, node, si_props)
  local serial = said (CORE_ID, "callgate.hold")

  -- Nothing was said of the stream yet: one that may capture goes where it is meant for at once. GStreamer waits for its
  -- clock for ever where it is moved as it starts.
  if serial == nil or said (id_of (node), "callgate.allow") == nil then
    return nil
  end
  -- Who wants a source for himself, or sound as it is encoded, would be told that he cannot have it.
  if si_props ["media.type"] ~= "Audio" or cutils.parseBool (si_props ["node.exclusive"]) or
      cutils.parseBool (si_props ["item.node.encoded-only"]) then
    return nil
  end
  return om:lookup { type = "SiLinkable", Constraint { "object.serial", "=", serial } }
end

-- What a stream is for that asked for the source without sound, the only one that there was.
local function find_other (om, si, si_props)
  local other = lutils.findDefaultLinkable (si)

  if other ~= nil and not is_ours (properties_of (other)) then
    return other
  end
  for item in om:iterate {
    type = "SiLinkable",
    Constraint { "item.node.type", "=", "device" },
    Constraint { "item.node.direction", "=", cutils.getTargetDirection (si_props) },
    Constraint { "media.type", "=", si_props ["media.type"] },
  } do
    if not is_ours (properties_of (item)) and lutils.canLink (si_props, item) then
      return item
    end
  end
  return nil
end

-- Also where the link has gone already.
local function unlink (si, si_flags)
  local link = si_flags.peer_id ~= nil and lutils.lookupLink (si.id, si_flags.peer_id) or nil

  if link ~= nil then
    link:remove ()
  end
  si_flags.peer_id = nil
  -- Or a stream that does not reconnect would not be linked when it is allowed again.
  si_flags.was_handled = false
  -- WirePlumber gives up after five links that came to nothing.
  si_flags.failed_count = 0
end

SimpleEventHook {
  name = "callgate/hold",
  after = { "linking/find-media-role-target", "linking/find-defined-target", "linking/find-filter-target",
      "linking/find-default-target", "linking/find-best-target", "linking/get-filter-from-target" },
  before = "linking/prepare-link",
  interests = {
    EventInterest {
      Constraint { "event.type", "=", "select-target" },
    },
  },
  execute = function (event)
    local _, om, si, si_props, si_flags, target = lutils:unwrap_select_target_event (event)
    local node = si:get_associated_proxy ("node")
    local relay = find_relay (om, node)

    -- What has a relay is linked with nothing else, or it would get two formats.
    if target == nil or (relay == nil and not captures (si_props, node.properties, properties_of (target))) then
      return
    end
    local hold = relay or find_hold (om, node, si_props)
    local wanted = is_ours (properties_of (target)) and find_other (om, si, si_props) or target
    local since = not is_ours (properties_of (wanted)) and allowed_since (node, properties_of (wanted)) or nil

    if since == nil then
      log:info (si, "held: " .. tostring (si_props ["node.name"]))
      wanted = hold
    elseif si_flags.callgate_since ~= since then
      -- callgate-pipewire destroys the link when a stream may not be linked any more. Where it may again before this
      -- hook ran, WirePlumber still takes the link to be there.
      unlink (si, si_flags)
      si_flags.callgate_since = since
    end
    -- Here, because WirePlumber does not move a stream that does not reconnect.
    if wanted == nil or (si_flags.peer_id ~= wanted.id and hold ~= nil and
        (wanted.id == hold.id or si_flags.peer_id == hold.id)) then
      unlink (si, si_flags)
    end
    if wanted == nil then
      event:stop_processing ()
    elseif wanted.id ~= target.id then
      si_flags.can_passthrough = false
      event:set_data ("target", wanted)
    end
  end
}:register ()

SimpleEventHook {
  name = "callgate/rescan-trigger",
  interests = {
    EventInterest {
      Constraint { "event.type", "=", "metadata-changed" },
      Constraint { "metadata.name", "=", "callgate" },
    },
    EventInterest {
      Constraint { "event.type", "c", "metadata-added", "metadata-removed" },
      Constraint { "metadata.name", "=", "callgate" },
    },
  },
  execute = function (event)
    event:get_source ():call ("schedule-rescan", "linking")
  end
}:register ()

-- Clients that were there before the source for streams that are held.
SimpleEventHook {
  name = "callgate/show-hold",
  before = "callgate/rescan-trigger",
  interests = {
    EventInterest {
      Constraint { "event.type", "=", "metadata-changed" },
      Constraint { "metadata.name", "=", "callgate" },
      Constraint { "event.subject.key", "=", "callgate.hold" },
    },
    -- What was said before WirePlumber knew the object is not told again.
    EventInterest {
      Constraint { "event.type", "=", "metadata-added" },
      Constraint { "metadata.name", "=", "callgate" },
    },
  },
  execute = function ()
    for node in managers.node:iterate () do
      if is_hold (node.properties) then
        for client in clients:iterate () do
          client:update_permissions { [id_of (node)] = "rx" }
        end
      end
    end
  end
}:register ()

-- callgate-pipewire is gone: what it showed to clients is hidden again. One that comes soon does so itself, and what it
-- shows then must not be hidden by what was meant for the last.
local function hide ()
  if words () ~= nil then
    return
  end
  for client in clients:iterate () do
    local list = {}

    for node in managers.node:iterate () do
      if is_gated (node.properties) then
        list [id_of (node)] = "-"
      end
    end
    if next (list) ~= nil then
      client:update_permissions (list)
    end
  end
end

SimpleEventHook {
  name = "callgate/hide",
  interests = {
    EventInterest {
      Constraint { "event.type", "=", "metadata-removed" },
      Constraint { "metadata.name", "=", "callgate" },
    },
  },
  execute = function ()
    Core.timeout_add (HIDE_MS, hide)
  end
}:register ()

-- A client that waits for its permissions goes on with the first that it gets. Whoever came before all objects are known
-- here would be told that there is no "client-node", and fail.
local unknown, clients_active = {}, false

for kind, manager in pairs (managers) do
  unknown [kind] = true
  manager:connect ("installed", function ()
    unknown [kind] = nil
    if next (unknown) == nil and not clients_active then
      clients_active = true
      clients:activate ()
    end
  end)
end
for _, manager in pairs (managers) do
  manager:activate ()
end
