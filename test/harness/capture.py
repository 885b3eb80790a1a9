"""Prints one line for each packet that this network namespace sends or receives, loopback aside, until it is killed:
`ip <source> <destination> <protocol>`, `arp <sender> <target>`, `other <ethertype>`, or `lost <number>` when it was too slow to see
all. The first line is `capturing`. (tcpdump insists on dropping groups, which a user namespace forbids.)"""
import select, socket, struct

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS = 263, 6
packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
print("capturing", flush=True)
while True:
    if not select.select([packets], [], [], 0.1)[0]:
        _, lost = struct.unpack("II", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        if lost > 0:
            print("lost", lost, flush=True)
        continue
    data, (interface, ethertype, _, _, _) = packets.recvfrom(128)
    if interface == "lo":
        continue
    if ethertype == 0x0800:
        print("ip", socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), data[9], flush=True)
    elif ethertype == 0x0806:
        print("arp", socket.inet_ntoa(data[14:18]), socket.inet_ntoa(data[24:28]), flush=True)
    else:
        print("other", hex(ethertype), flush=True)
